"""The floor: nouns, providers, stand-ins, store and the command table. Imports nothing from the other packages."""
