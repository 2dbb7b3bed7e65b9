"""A demonstration that needs nothing else: an Isthmus with a simulated EHR and a simulated partner beside it."""
