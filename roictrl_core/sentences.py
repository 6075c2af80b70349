"""The English sentences of notes, by code; Chinese ones stand in ``locales/zh/main.json`` under ``roictrl.note``.

A code is ``<where it arises>.<what>``.  ``{who}`` and other subjects become "instance 2 ('a red fox')"; the first
letter of a sentence is made a capital.  ``{count:box|boxes}`` is the word that goes with the number ``count``.
A test holds that every code is used, and that both languages know the same values.
"""

from __future__ import annotations

# What a subject can be: an instance of a layout, or an entry of a file.
ITEMS = {
    "instance": "instance",
    "box": "box",
    "line": "line",
    "annotation": "annotation",
    "shape": "shape",
    "element": "element",
    "entry": "canvas entry",
    "segment": "SEG",
    "mask": "mask",
    "object": "object",
    "track": "track",
}

SENTENCES = {
    "run.other_shape": (
        "The layout was drawn for {layout} pixels, and the latent of {latent} cells has another shape: the boxes "
        "are stretched with it. Give the latent the layout's shape; where a piece of the picture is drawn by itself, "
        "give it its own boxes by Crop Layout or Tile Layout; and where an upscaler or a detailer cuts the pieces "
        "itself, use the model without boxes there, since every piece would get the whole layout."
    ),
    "demo.size": (
        "The demo model draws pictures of {side} x {side} pixels, and this one has {size}: it fills boxes with several "
        "small things. Set width and height of Instance Box Prompt to {side}, and connect both to Empty Latent Image."
    ),
    "demo.guidance": (
        "The guidance (cfg) is {cfg}; about {best} suits the demo model, and much more mixes its colours. Set cfg of "
        "the sampler to {best}."
    ),
    "run.other_size": (
        "A sampling pass over a {size} latent, where the picture's is {picture}, runs without the boxes, "
        "because nothing says which part of the picture it is. If a tiled sampler makes it, remove that, "
        "or use area conditioning."
    ),
    "run.no_step": (
        "No sampling step fell into the part of the schedule in which the boxes act, so they had no effect. "
        "Widen start and end of the node or of the boxes, or sample with more steps."
    ),
    "run.no_step_for": (
        "No sampling step fell into the part of the schedule in which {names} acts, so nothing of it "
        "is in the picture. Widen its start and end, or sample with more steps."
    ),
    "run.no_whole_prompt": (
        "A prompt is for areas alone, so no box is drawn by itself beside it. Combine it with one for the whole "
        "picture."
    ),
    "run.no_own_pass": (
        "No step was in the part of the schedule in which boxes are drawn by themselves (own_pass {share}), as where a "
        "picture is changed a little (denoise below 1). Raise own_pass."
    ),
    "run.prompt_left_alone": "A sampling pass is neither of the guider's prompts; the boxes leave it alone.",
    "run.prompt_unknown": (
        "A sampling pass is neither of the guider's prompts; it reads its own prompt inside the boxes."
    ),
    "run.no_schedule": (
        "The sampler does not say which noise levels it goes through, so every step is computed in full: the picture "
        "is as with speed exact, and as slow."
    ),
    "run.weights_change": (
        "The model's weights change between steps (scheduled LoRA hooks), so every step is computed in full: the "
        "picture is as with speed exact, and as slow."
    ),
    "run.calls_alike": (
        "One sampling step runs the model several times on prompts or pictures that cannot be told apart (context "
        "windows do, and guidance that runs the prompt once more), so from here on those runs are computed in full: "
        "right, and as slow as with speed exact."
    ),
    "run.kept_enough": (
        "What the boxes add is kept for later steps up to {limit} GiB; the blocks beyond that are computed in every "
        "step. A smaller batch or picture is faster in proportion."
    ),
    "run.no_prompts": "A call of the model without the sampler's list of prompts runs without the boxes.",
    "run.past_batching": (
        "A call of the model that another pack makes past the sampler's own batching runs without the boxes."
    ),
    "run.tokens_changed": (
        "Another pack changes the batch or the tokens before cross-attention, so the boxes have no effect in those "
        "blocks. Use the boxes or the regions of that pack, not both."
    ),
    "run.other_tokens": (
        "Another node adds tokens to the picture or takes some away, as a reference picture before the frames does, "
        "and where those lie is not known: the boxes have no effect in the blocks that read them. "
        "Remove that node, or the boxes."
    ),
    "run.not_reached": (
        "In the first step no block of the model came by where the boxes act, because another pack replaces the blocks "
        "or their attention: the picture does not follow the boxes. Remove that pack's node, or the boxes."
    ),
    "run.batch_patch": (
        "A patch on the cross-attention changes the batch (AttentionCouple does), so it is left out inside the boxes. "
        "Use the boxes or the regions of that pack, not both."
    ),
    "run.text_ignored": (
        "Another pack's cross-attention does not read the text that it is handed (attention couple does not), "
        "so inside the boxes the captions are read by the model's own, without that pack. "
        "Use the boxes or the regions of that pack, not both."
    ),
    "run.reference_masked": (
        "The image prompt of {name} knows places, as one with a mask does; inside a box the box is the mask, and it is "
        "laid over the box as if that were the picture. Leave the mask of that IP-Adapter node empty."
    ),
    "run.reference_deaf": (
        "The image prompt of {name} does not read the text that it is handed, so the box's caption has no effect. Use "
        "another kind of image prompt in the box, one that is added to the text's attention."
    ),
    "run.text_not_in_pairs": (
        "A patch on the cross-attention reads the text's tokens by turns as keys and values (NegPip does), and the "
        "captions were not encoded for it. They are read without it, so negative prompt weights do not act in them. "
        "Connect the CLIP that comes out of that pack's node."
    ),
    "run.freeu": (
        "FreeU and ScaleU both scale the decoder's features here, so their gains multiply. "
        "Remove FreeU, or turn ScaleU off."
    ),
    "run.no_instances": (
        "The guider has no instances, so the picture is sampled as a whole. Connect Multi-Instance Guider, "
        "with a model from Apply InstanceDiffusion."
    ),
    "notes.more": (
        "There {count:is|are} {count} more such {count:sentence, which is|sentences, which are} left out here."
    ),
    "layout.box_not_finite": "The box of {who} is {box}; it needs four finite numbers x1, y1, x2, y2.",
    "layout.box_far": (
        "The box of {who} reaches more than {most} pictures far: {box}, where the picture is 0 to 1. "
        "Boxes are normalised; divide pixels by the picture's size."
    ),
    "layout.box_without_area": (
        "The box of {who} has no area: x2 must be over x1 and y2 over y1, but it is {box}. Draw it again or delete it."
    ),
    "layout.box_outside": (
        "The box of {who} lies outside the picture: {box}, where the picture is 0 to 1. Boxes are normalised; move it "
        "inside or divide pixels by the picture's size."
    ),
    "layout.strength": "The strength of {who} is {strength}; it must lie between 0 and {most}.",
    "layout.schedule": (
        "The schedule of {who} runs from {start} to {end}; it must begin before it ends, both between 0 and 1."
    ),
    "layout.points_outside": (
        "The point or scribble of {who} leaves the picture; all its numbers must lie between 0 and 1."
    ),
    "layout.color": "The color of {who} is {color}; write it as #rrggbb.",
    "layout.caption_empty": "The caption of {who} is empty; its box will hold whatever the model likes.",
    "layout.point_alone": (
        "The box of {who} has no area; only a method that reads points can place it. "
        "Draw a box around its point for the others."
    ),
    "layout.over_border": "The box of {who} reaches over the picture's border: {box}.",
    "layout.mask_empty": "The mask of {who} is empty; nothing of it can appear. Paint it or remove it.",
    "layout.size": "The layout's size is {width} x {height}; both must lie between 1 and {most} pixels.",
    "layout.too_many": "The layout has {count} boxes; at most {most} can be used.",
    "layout.mask_pixels": (
        "The masks of the layout have {count} million pixels together; at most {most} million "
        "can be used. Scale them down."
    ),
    "layout.twins": (
        "The boxes of {other} and {who} share their caption and more than half of the smaller one; one object may fill "
        "both. Move them apart or delete one."
    ),
    "layout.conditioning_left_out": (
        "The custom conditioning of {who} exists only while a workflow runs and is left out of the JSON; its caption "
        "stands in."
    ),
    "layout.lora_left_out": (
        "The LoRA '{file}' of {who} exists only while a workflow runs and is left out of the JSON. Add it again with "
        "Instance LoRA."
    ),
    "layout.reference_left_out": (
        "The image prompt of {who} exists only while a workflow runs and is left out of the JSON. Add it again with "
        "Instance Reference."
    ),
    "layout.not_kept": (
        "{count} foreign values of the layout are nothing that JSON can hold ({kinds}), the first in the field "
        "{field}; they are left out of the JSON."
    ),
    "cells.none": (
        "The box of {who} covers no feature cell at any level ({px} px and up) and will have no effect. Make it larger."
    ),
    "cells.few": (
        "The box of {who} covers no feature cell at the levels of {px} px and up; its control will be weak. Make it "
        "larger, or the picture."
    ),
    "prompt.nothing": "No enabled box is drawn or connected; the picture will be the base model's.",
    "prompt.boxes_unused": (
        "The boxes input brings {incoming} {incoming:box|boxes}, but {drawn} {drawn:is|are} drawn here already; "
        "the drawn ones are used. Delete them to use the input, or join both with Merge Layouts."
    ),
    "prompt.masks_too_large": (
        "The {count} {count:mask|masks} would take {gigabytes} GB; one empty mask is given instead. "
        "Use fewer boxes, or a smaller picture."
    ),
    "prompt.no_background": (
        "The layout says nothing about the background, which this style describes. Give the layout a global caption, "
        "or write the background into suffix."
    ),
    "preview.first_boxes": (
        "The preview shows the first {most} of {count} boxes; the others are in the layout all the same."
    ),
    "merge.shapes": (
        "The layouts have different shapes, {width} x {height} and {other_width} x {other_height}; "
        "the second one's boxes are stretched to the first one's."
    ),
    "merge.captions": "Both layouts have a global caption; the first one's is kept.",
    "merge.fields": "Both layouts have their own {fields}; the first one's is kept.",
    "crop.little": (
        "The crop has {percent} % of {who}, and leaves it out. To keep it, lower min_visible, which is {least} %."
    ),
    "crop.nothing": (
        "The crop {box} sees no box, so its layout is empty and its picture is drawn without boxes. Move the crop over "
        "a box, or lower min_visible."
    ),
    "crop.no_tile": (
        "No tile has {least} % of {who}, or is filled by it as much, so all leave it out. Lower min_visible, or give "
        "larger tiles."
    ),
    "masks.nothing": "The layout has no enabled box, so one empty mask is given. Draw or enable a box.",
    "masks.not_enabled": "{who} is not enabled: it takes no part in pictures, but its mask is given.",
    "instance.not_enabled": (
        "{who} is not enabled: it takes no part in pictures and in the union, but its box and mask are given."
    ),
    "boxes.no_adapter": "{method} was picked for this model ({family}): it needs no weights, and none are connected.",
    "boxes.adapter_fits": "{method} was picked for this model ({family}): the connected weights were made for it.",
    "boxes.adapter_unfit": (
        "{method} was picked for this model ({family}), which needs no weights; the connected ones are left out: {why}"
    ),
    "eligen.no_token": (
        "{who} covers no cell of 8 pixels, so its caption is read by nobody and has no effect. Draw it larger."
    ),
    "eligen.negative_unread": (
        "The negative caption of {who} is not read, because EliGen leaves the negative pass alone. Use Apply EliGen "
        "with entities_on_negative."
    ),
    "eligen.many": (
        "{count} boxes act, and EliGen's authors stop at {limit}: more may mix. Fewer boxes, or several pictures with "
        "inpainting, are safer."
    ),
    "eligen.no_lora": (
        "The model has no LoRA. EliGen's rule works without its own, and boxes are followed less. Put Load EliGen LoRA "
        "before this node."
    ),
    "eligen.short": (
        "{who} has a caption of {count} {count:token|tokens}, and FLUX's EliGen is trained with {limit}: it may be "
        "followed less. Encode it with T5TokenizerOptions and min_length {limit}."
    ),
    "eligen.lora_part": "{count} {count:layer|layers} of {file} fit nothing in this model and are left out.",
    "apply.strength_zero": "Strength is 0, so the boxes have no effect.",
    "apply.window_empty": (
        "The window is empty: start_percent {start} is not before end_percent {end}, so the boxes have no effect."
    ),
    "apply.own_pass_late": (
        "own_pass ends at {share} of the schedule, and the boxes act from {start} on, so none is drawn by itself. "
        "Raise own_pass."
    ),
    "apply.own_pass_cut": (
        "own_pass goes on to {share} of the schedule, and the boxes act to {end} alone, so it ends there. Raise "
        "end_percent, or lower own_pass."
    ),
    "apply.own_pass_late_for": (
        "These boxes begin to act when own_pass has ended, at {share} of the schedule, and are not drawn by "
        "themselves: {names}. Raise own_pass, or let them start earlier."
    ),
    "apply.own_pass_patch": (
        "own_patch is {patch}, as long as the own passes or longer, so all that they draw is patches of colour. Lower "
        "own_patch."
    ),
    "apply.no_instance": (
        "The layout has no enabled instance, so the picture is the base model's. Draw a box in Instance Box Prompt."
    ),
    "apply.no_slot": (
        "The adapter has {limit} {limit:slot|slots}, so {who} has no effect. Delete boxes, "
        "or put the rest into a second Apply."
    ),
    "apply.several_prompts": (
        "The custom conditioning of {who} combines {count} prompts; only the first acts inside the box. "
        "Use Conditioning (Concat) to join them."
    ),
    "apply.many_boxes": (
        "{count} boxes act here, with {captions} {captions:caption|captions} to encode. "
        "Together they cover the picture {times} times, and each step computes the model's cross-attention for that "
        "much more. Fewer boxes are faster."
    ),
    "apply.negative_unread": (
        "The negative caption of {who} is not read, because with these settings no box reads text in the negative "
        "pass. Set uncond_boxes to 'negative prompt', and speed, where it is fast, to balanced."
    ),
    "apply.lora_left": (
        "{count} of the {total} layers that the LoRA '{file}' of {who} changes were left out: they do not treat tokens "
        "one by one (convolutions, modulation), or are changed by what their own weights are (DoRA, OFT)."
    ),
    "apply.lora_text_alone": (
        "The LoRA '{file}' of {who} acts on the encoding of its caption alone: this model or method does not read "
        "captions by a cross-attention of the model's that the LoRA changes. Set layers of Instance LoRA to 'all, "
        "approximate' for its other layers."
    ),
    "apply.lora_nothing": (
        "The LoRA '{file}' of {who} changes no layer that reads captions and nothing of the text encoder that is "
        "used, so it has no effect here. Set layers of Instance LoRA to 'all, approximate'."
    ),
    "apply.reference_unread": (
        "The image prompt of {who} has no effect here: it acts where a box reads its caption by the cross-attention of "
        "a UNet (SD1.x, SD2.x, SDXL), with Apply ROICtrl or Apply ROI Prompts."
    ),
    "apply.reference_elsewhere": (
        "The image prompt of {who} is in no block of this model that a box can read in, so it has no effect. Choose "
        "another weight type in its IP-Adapter node."
    ),
    "apply.reference_shared": (
        "The model has the image prompt of a box on the whole picture as well. To keep it to the box, connect the "
        "model before the IP-Adapter node to the Apply node."
    ),
    "apply.reference_own_pass": (
        "While a box is denoised by itself (own_pass) its image prompt does not act, and little of it shows. Set "
        "own_pass to 0 where the image prompt matters more than the place."
    ),
    "apply.mask_outside": (
        "The mask of {who} lies outside its box, and an instance shows only where both are: nothing of it can appear. "
        "Move the box over the mask, or remove the mask."
    ),
    "apply.box_alone": (
        "{who} has a point and no box, and this node reads boxes alone, so it will not act. Draw a box for it, or use "
        "InstanceDiffusion, which reads points."
    ),
    "apply.not_among_largest": (
        "The weights have {limit} slots, so the largest {limit} boxes are used; {who} has no effect. "
        "Delete boxes, or put the rest into a second Apply."
    ),
    "read.no_boxes": "There are no boxes here.",
    "read.other_shape": (
        "The boxes were drawn on {own_width} x {own_height} pixels, which has another shape than {width} x {height}; "
        "they are stretched with the picture."
    ),
    "read.not_kept": (
        "{count} values beside the boxes are nothing that a layout can hold ({kinds}), the first "
        "in the field {field}; they were left out."
    ),
    "read.crowded": (
        "{count} fields beside the boxes were left out, since at most {most} characters of such fields are kept. "
        "Leave out of the source what is not needed."
    ),
    "read.no_area": "{who} has no area and was left out.",
    "read.outside": "{who} lies outside the picture and was left out.",
    "read.cut": "{who} reaches over the picture's border and was cut there.",
    "read.point_alone": (
        "{who} is a point without a box, which only methods that read points can place. Draw a box around it for the "
        "others."
    ),
    "read.line_alone": (
        "{who} is an upright or level line, which has no box; its middle is kept as a point, which only some methods "
        "read. Draw a box around it for the others."
    ),
    "read.not_numbers": "{who} has a box that is not {count} finite numbers, but {value}, and was left out.",
    "read.points_not_numbers": "{who} has points that are not pairs of finite numbers, but {value}, and was left out.",
    "read.first_image": (
        "There are {count} images here; the first, {first}, is used. Pick another by its name or its index."
    ),
    "read.first_prompt": (
        "There are {count} prompts here; the first, {first}, is used. Pick another by its name or its index."
    ),
    "read.first_frame": (
        "There are {count} frames here; the first, {first}, is used. Pick another by its name or its index."
    ),
    "read.no_xywh": "{who} has no x, y, width and height and was left out.",
    "read.shows_text": (
        "{who} is to show the text {text}; it is kept, but only the caption reaches the model. "
        "Write it into the caption if the picture should show it."
    ),
    "read.blank": "The text is empty, so there are no boxes here.",
    "read.not_utf8": (
        "The text is not UTF-8: {count} of its characters could not be read and are �, the first in line {line}. "
        "Save it as UTF-8, or correct the captions by hand."
    ),
    "read.broken": (
        "What begins in line {line} of the text cannot be read and was left out. "
        "Correct it if it is meant to hold boxes."
    ),
    "read.joined": (
        "The text holds {count} lists of boxes, which were read as one. If one of them repeats or corrects another, "
        "give that one alone."
    ),
    "read.unclosed": (
        "The list that begins in line {line} of the text has no end. What is whole in it was read; "
        "look whether boxes are missing."
    ),
    "read.another": (
        "What begins in line {line} of the text does not belong to the boxes that were read and was left out. "
        "Give it by itself if its boxes are meant."
    ),
    "read.names_not_utf8": (
        "The class names are not UTF-8: {count} of their characters could not be read and are �, "
        "the first in line {line}. Save them as UTF-8, or correct the captions by hand."
    ),
    "read.assumed_pixels": (
        "The boxes were read as {order} in pixels, which was assumed. If they stand wrong, set box_order "
        "or box_unit of Instance Box Prompt."
    ),
    "read.assumed_shares": (
        "The boxes were read as {order} normalised 0 to 1, which was assumed. If they stand wrong, "
        "set box_order or box_unit of Instance Box Prompt."
    ),
    "read.shares_not_pixels": (
        "All numbers lie between 0 and 1, so they were read as shares of the picture and not as pixels, "
        "which was assumed. If the boxes stand wrong, set box_unit of Instance Box Prompt."
    ),
    "read.assumed_thousandths": (
        "The boxes were read as {order} in 0 to 1000, which was assumed. If they stand wrong, set box_order "
        "or box_unit of Instance Box Prompt."
    ),
    "read.assumed_percent": (
        "The boxes were read as {order} in percent, which was assumed. If they stand wrong, set box_order "
        "or box_unit of Instance Box Prompt."
    ),
    "read.perhaps_percent": (
        "All boxes lie in the first 100 pixels of {width} x {height}. If their numbers are percent, "
        "set box_unit of Instance Box Prompt."
    ),
    "read.beyond": (
        "The boxes reach to {right}, {bottom}, far beyond the picture of {width} x {height} pixels. If they were "
        "drawn on a larger one, give its width and height; else set box_order or box_unit of Instance Box Prompt."
    ),
    "read.choice_unused": "This format itself says what its numbers mean, so box_order and box_unit were not used.",
    "read.columns_unknown": (
        "The {count} {count:number|numbers} after each box {count:is neither a score nor a class and was|are neither "
        "scores nor classes and were} left out."
    ),
    "read.order_unused": "This format itself says in which order its numbers stand, so box_order was not used.",
    "read.class_lists": (
        "The {count} lists of boxes with scores were read as one list for each class, "
        "which was assumed because some are empty."
    ),
    "read.lists_differ": (
        "The list of {key} has {count} {count:entry|entries} for {boxes} {boxes:box|boxes} and is not used."
    ),
    "read.no_box": "{who} has no box and was left out.",
    "read.seg_mask": (
        "The mask of {who} has the shape {shape}, which does not fit its crop region {region} of a {width} x {height} "
        "picture; only its box is used."
    ),
    "read.mask_not_finite": "{who} holds NaN or infinite values and was left out.",
    "read.mask_empty": "{who} has no pixel over 0.5 and was left out.",
    "read.segs_without_labels": (
        "SEGS that are called '{label}' come from masks and not from a detector, so they have "
        "no captions. Write these by hand."
    ),
    "read.mask_soft": "{who} has soft edges; its pixels over 0.5 are used.",
    "read.captions_left": (
        "There {captions:is|are} {captions} {captions:caption|captions} for {masks} {masks:mask|masks}; "
        "the last {left} {left:is|are} not used."
    ),
    "read.coco_not_objects": (
        "{count} {count:annotation of the COCO file is not an object and was|annotations of the COCO file "
        "are not objects and were} left out."
    ),
    "read.coco_without_images": (
        "The COCO file lists no images, so its boxes were read on a picture of {width} x {height} pixels. "
        "Set width and height if it had another size."
    ),
    "read.coco_no_such_image": (
        "{count} {count:annotation belongs|annotations belong} to no image of the COCO file "
        "and {count:was|were} left out."
    ),
    "read.crowd": "{who} is a crowd and was left out.",
    "read.category_unnamed": "{who} has a category that the file does not name; write its caption by hand.",
    "read.polygon": "{who} has a polygon that is not a list of at least three x, y pairs; only its box is used.",
    "read.too_many_points": "{who} has more than {most} points and was left out.",
    "read.outlines": (
        "{who} has outlines that are too many or too jagged to be filled with those before them; only its box is used."
    ),
    "read.shape_type": (
        "{who} is a {kind}; only rectangles, polygons, circles, points and lines can be used, and it was left out."
    ),
    "read.too_few_points": "{who} has too few points for a {kind} and was left out.",
    "read.classes_without_names": (
        "The boxes came without the names of their classes; the captions are class numbers. Give the names, "
        "or write the captions by hand."
    ),
    "read.yolo_columns": "Lines of the YOLO file were read as {columns}, which was assumed from what they hold.",
    "read.yolo_line": (
        "{who} is neither 'class cx cy w h', with a score, a track id or keypoints after it, nor 'class x1 y1 "
        "x2 y2 x3 y3 ...', and was left out."
    ),
    "read.yolo_number": "{who} has {value} where a finite number must be and was left out.",
    "read.mot_line": (
        "{who} is not the seven, nine or ten numbers of a MOT file, from a frame of 1 on, and was left out."
    ),
    "read.class_unnamed": "{who} has class {number}, which the names do not hold; write its caption by hand.",
    "read.point": "{who} has a point that is not x, y inside the picture, but {value}; it is not used.",
    "read.mask": "{who} has a mask that cannot be read; only its box is used. {reason}",
    "read.scribble": (
        "{who} has a scribble that is not a list of x, y inside the picture, or has over {most} points; it is not used."
    ),
    "read.omost_global_alone": "The Omost canvas has only its global entry, and so no boxes.",
    "read.first_task": (
        "There are answers to {count} tasks here; the first, {first}, is used. Pick another by its name or its index."
    ),
    "read.mask_as_picture": (
        "The mask of {who} is a picture or its file, {value}, which is not read; only its box is used."
    ),
    "read.no_polygon": "{who} has no polygon of at least three x, y pairs and was left out.",
    "read.labels_left": (
        "There are {labels} labels for {boxes} {boxes:box|boxes}; the last {left} {left:is|are} not used."
    ),
    "read.first_point": "{who} has {count} points; the first is used.",
    "read.no_place": "{who} has no box; its words go into the global caption.",
    "read.other_ratio": (
        "The caption is for a picture of {ratio}, which is not the shape of {width} x {height}; "
        "its boxes are stretched with the picture."
    ),
    "read.brush": "{who} is painted with a brush, in a code of Label Studio's own that is not read, and was left out.",
    "read.turned": "{who} is turned by {angle} degrees; its mask is turned, and its box is the upright one around it.",
    "read.picture_turned": (
        "The picture is turned by {angle} degrees in Label Studio; the boxes are those "
        "of the picture as it lies in the file."
    ),
    "read.first_answer": "There are {count} annotations of this picture here; the first is used.",
    "read.first_of_task": "The task has {count} images; the boxes of the first, {first}, are used.",
    "read.cancelled": (
        "The annotations of this picture, {count} in number, were cancelled in Label Studio and were left out."
    ),
    "read.pick_unused": "There is only one set of boxes here, so the pick {pick} was not used.",
    "read.other_kind": "{who} is a {kind}, which is not read here, and was left out.",
    "read.earlier_frame": "{who} has no box of its own in this frame; the one of frame {frame} is used.",
    "read.absent": "Objects that are not in this frame, and were left out: {count}. Pick another frame by its index.",
    "read.no_tracks": "There are no boxes here: no frame of the tracking has one.",
    "read.voc_from_zero": (
        "The smallest number of a box is 0, so this Pascal VOC file was read as counting pixels from 0, not from 1."
    ),
    "check.nothing": "{who} is missing: nothing was found in its box.",
    "check.place": "{who} is missed: the nearest object, '{seen}', covers its box with an IoU of {iou}, not {least}.",
    "check.name": "{who} is missed: what stands in its box is '{seen}'.",
    "check.no_instances": "The layout has no box that is enabled, so there is nothing to obey and the score is 1.",
    "check.first_picture": "There are several pictures; the first is checked, against the first of the detections.",
    "check.extras": "Found beside the boxes, and not asked for: {count} {count:object|objects} ({names}).",
    "redo.kept": "Kept {count} latents of this run, {megabytes} MB of memory.",
    "redo.too_large": (
        "The {count} latents of this run are {megabytes} MB, more than the {most} MB that are kept: no box of this "
        "picture can be redone. Sample fewer steps, or a smaller picture or batch."
    ),
    "redo.boxes": "Drawn anew: {names}. The rest of the picture stays as it is.",
    "redo.left": "Drawn anew: {count} {count:place|places} that a box has left.",
    "redo.nothing": "No box is marked as missed or has changed, so the picture stays as it is and nothing is sampled.",
    "redo.enough": "The picture obeys its layout well enough, so it stays as it is and nothing is sampled.",
    "lora.zero": "Both strengths are 0, so the LoRA '{file}' is left out.",
    "write.yolo_class": "YOLO class {number} is '{name}'.",
    "write.not_enabled": "{who} is not enabled and was left out of the {format}.",
    "write.draft": "{who} cannot be used as it is, and was left out of the elements.",
    "write.not_carried": "{format} cannot carry the {fields} of {who}.",
    "write.cut": "The box of {who} reaches over the picture's border; for {format} it is cut there.",
    "write.no_area": "{who} has no area inside the picture, and was left out of the {format}.",
    "write.strokes_joined": (
        "The {count} strokes of {who} are written as one; InstanceDiffusion holds one for each instance."
    ),
    "write.holes": (
        "The mask of {who} has {count} {count:hole, which is|holes, which are} filled: labelme's polygons have none."
    ),
    "write.no_outline": (
        "The mask of {who} has no outline that could be edited by hand, being empty inside its box or too ragged; "
        "its box is written instead."
    ),
    "write.migc_caption": (
        "The caption of {who} is a word of MIG-Bench's own; it is written as {caption}, so that its box is not lost."
    ),
    "write.no_background": (
        'The layout says nothing about the background, which this caption must describe. Write it into "background".'
    ),
    "write.no_picture": (
        "The layout names no picture, but a labelme file must: save the picture as '{name}' beside it, or change "
        "imagePath."
    ),
}
