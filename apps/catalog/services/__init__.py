"""What happens to the catalog: products come and go, prices are set."""
