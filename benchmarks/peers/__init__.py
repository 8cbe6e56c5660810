"""Networks that the package is compared with and that SeisBench does not have."""
