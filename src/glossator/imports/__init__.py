"""Labels that others wrote, read from their files: Neuronpedia's bulk layout and Delphi's folders."""
