"""What the scenarios of the lab share; only the standard library is used."""
