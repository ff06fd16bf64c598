"""The contract's services as auth answers them: messages in, messages out; rules and statements are elsewhere."""
