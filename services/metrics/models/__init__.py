"""Customer-equity models: statistics of purchases, churn and spend models, and what they are worth.

Pure numerics: numpy and scipy, no I/O, no clock, no chance. Conventions (weeks, repeat purchase
days, discounting) follow Fader, Hardie & Lee, "RFM and CLV", JMR 42(4), 2005.
"""
