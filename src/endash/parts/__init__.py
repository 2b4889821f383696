"""What encoders, links and decoders are made of."""
