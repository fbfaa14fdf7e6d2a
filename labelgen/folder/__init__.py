"""The folder of a build: who works in it, what is done, what may be written over."""
