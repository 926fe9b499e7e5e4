"""Topics by hand: watched record by record, and written from a file under the contract."""
