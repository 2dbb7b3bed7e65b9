"""What several processes share over Redis (or Valkey) and may lose: limits, open circuits, wake-ups, revocations.

The store holds all that must not be lost. Without Redis, or while it is away, each process goes by what it knows.
"""
