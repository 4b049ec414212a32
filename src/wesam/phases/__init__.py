"""The main job in phases, each a value that the next one takes: given, setup, lessons, then judged and summed up."""
