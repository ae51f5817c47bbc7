"""Backend ``consul``, cookie source ``consul-kv``.

``discovery`` and ``cookie_in_key_value`` register them, ``backend`` decides what to ask for,
``absence`` finds out why nothing was found, ``instances`` reads entries of the catalogue and makes
targets of them. ``access`` says which agent is asked and as whom, ``exchange`` carries one request,
``failures`` has the words for what went wrong. Only ``client`` imports py-consul.
"""
