"""The tests, by kind: unit, contract, integration, e2e, chaos, bench."""
