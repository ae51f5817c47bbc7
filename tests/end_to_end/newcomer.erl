%% Code with names in it, one as an atom and one as bytes.
-module(newcomer).
-export([where/0]).

where() -> {node(), 'app@127.0.0.1', <<"app@127.0.0.1">>}.
