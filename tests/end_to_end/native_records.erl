%% Native records, which OTP 29 brought: made with names of nodes in them, and counted.
-module(native_records).
-export([make/2, named_here/1]).
-record #pair{left, right = none}.

make(Names, Size) ->
    [#pair{left = Name, right = #pair{left = {N, self()}}} || N <- lists:seq(1, Size), Name <- Names].

%% How many of them have this node's name.
named_here({_, Pairs}) ->
    length([Pair || Pair <- Pairs, Pair#pair.left =:= node()]).
