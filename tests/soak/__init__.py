"""What is promised of a cluster, counted while everything that it stands on is taken away in turn."""
