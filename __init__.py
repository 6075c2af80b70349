"""ROICtrl for ComfyUI: a picture in which every box holds what its caption says."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """The extension that ComfyUI asks for; imported here, so that reading this file needs no ComfyUI."""
    from .nodes import ROICtrlExtension

    return ROICtrlExtension()
