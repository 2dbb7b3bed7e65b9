"""Moving house: all that a store keeps as one stream, which another store takes in whole or not at all."""
