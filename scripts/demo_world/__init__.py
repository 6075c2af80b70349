"""The demo world: a procedural picture language with a judge, so that instance control can be trained and measured
on a laptop. numpy only.

world.py      scenes of coloured, textured shapes, and how they are drawn
captions.py   what is said of them
data_sets.py  the pictures that the demo model is trained on
judge.py      which object a picture shows in a box, read without anything learned
"""
