"""The recipe of the bundled model `nano`: prepare the data, train, export. Needs the extra `torch`."""
