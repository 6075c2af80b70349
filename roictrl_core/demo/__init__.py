"""The demo world: a procedural picture language with a judge, so that instance control can be
trained and measured on a laptop."""
