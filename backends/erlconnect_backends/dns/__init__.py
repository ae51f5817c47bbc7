"""Backend ``dns``: SRV, A and AAAA records.

``discovery`` registers it, ``backend`` decides what to ask for, ``hosts`` and ``addresses`` make
targets of the answers, ``resolver`` writes questions and reads answers, ``ways`` and ``inside`` say
whom to ask and how, ``tries`` goes from server to server, ``exchange`` carries the bytes,
``failures`` has the words for what went wrong. Only ``resolver`` imports dnspython.
"""
