"""Rules for the resources of every stack. The engine runs them as a policy pack, and the tests run them, too."""
