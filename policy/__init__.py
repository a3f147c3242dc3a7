"""What no stack may do: rules over resources, run by the engine (policy pack) and by the tests over every stack."""
