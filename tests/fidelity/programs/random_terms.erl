%% Terms of every tag, made from the random state of the process that asks. Each is made of what is
%% known: the two nodes' names, identifiers of both, and bytes that look like names.
-module(random_terms).
-export([seed/1, seed/0, made/2, term/1, term/2, fillers/1, one_of/1, below/1]).

seed(Seed) -> rand:seed(exsss, Seed).

seed() -> below(1 bsl 30).

below(N) -> rand:uniform(N) - 1.

one_of(List) -> lists:nth(rand:uniform(length(List)), List).

%% The same term on either node, if the names in Known are what each calls itself and the other.
made(Seed, Known) ->
    Before = rand:export_seed(),
    seed(Seed),
    Term = term(Known, 30),
    case Before of
        undefined -> ok;
        _ -> rand:seed(Before)
    end,
    Term.

term(Known) -> term(Known, one_of([1, 1, 3, 10, 30, 100])).

term(Known, Parts) when Parts < 2 -> leaf(below(18), Known);
term(Known, Parts) -> composite(below(9), Known, Parts).

composite(0, Known, Parts) -> {term(Known, Parts - 1)};
composite(1, Known, Parts) -> list_to_tuple(terms(Known, Parts));
composite(2, Known, Parts) -> terms(Known, Parts);
composite(3, Known, Parts) -> terms(Known, Parts) ++ leaf(below(18), Known);
composite(4, Known, Parts) -> maps:from_list([{key(Known, N), T} || {N, T} <- numbered(Known, Parts)]);
composite(5, Known, Parts) -> fun_of(terms(Known, Parts));
composite(6, Known, Parts) -> [list_to_tuple(T) || T <- [terms(Known, Parts div 2), terms(Known, 2)]];
composite(7, Known, Parts) -> {maps:get(names, Known), fillers(Parts), terms(Known, Parts div 2)};
composite(8, Known, Parts) -> list_to_tuple(lists:duplicate(300, leaf(below(6), Known))
                                            ++ terms(Known, Parts div 3)).

terms(_, Parts) when Parts < 1 -> [];
terms(Known, Parts) ->
    Share = rand:uniform(Parts),
    [term(Known, Share) | terms(Known, Parts - Share)].

numbered(Known, Parts) -> lists:zip(lists:seq(1, Parts), [leaf(below(18), Known) || _ <- lists:seq(1, Parts)]).

key(#{names := Names, identifiers := Identifiers}, N) ->
    one_of([N, {N}, [N | one_of(Names)], {N, one_of(Identifiers)}, <<N>>]).

fun_of(Held) ->
    Inner = fun() -> Held end,
    one_of([fun() -> {Held, Inner} end, fun(Argument) -> [Argument, Held] end, Inner, fun lists:map/2]).

leaf(0, _) -> below(256);
leaf(1, _) -> below(1 bsl 32) - (1 bsl 31);
leaf(2, _) -> one_of([1, -1]) * below(1 bsl (8 * rand:uniform(20)));
leaf(3, _) -> one_of([[], {}, <<>>, #{}, '', "", <<0:1>>]);
leaf(4, _) -> filler(below(5000));
leaf(5, #{names := Names}) -> one_of(Names);
leaf(6, _) -> (1 bsl (8 * (200 + below(200)))) + below(1 bsl 32);
leaf(7, _) -> one_of([0.0, -0.0, 1.0e300, rand:uniform(), -rand:uniform() * 1.0e-300]);
leaf(8, _) -> one_of([true, undefined, 'é', '漢字', list_to_atom(lists:duplicate(255, one_of("aé漢")))]);
leaf(9, _) -> [below(256) || _ <- lists:seq(1, below(300))];
leaf(10, _) -> << <<(below(256))>> || _ <- lists:seq(1, below(200))>>;
leaf(11, _) -> <<(below(1 bsl 40)):(rand:uniform(60))>>;
leaf(12, #{lookalikes := Lookalikes}) -> one_of(Lookalikes);
leaf(13, #{lookalikes := Lookalikes}) -> binary_to_list(one_of(Lookalikes));
leaf(14, _) -> one_of([fun erlang:node/0, fun lists:map/2]);
leaf(15, _) -> foreign(below(3));
leaf(_, #{identifiers := Identifiers}) -> one_of(Identifiers).

%% Of a node that neither of the two knows, in the tags that every release reads.
foreign(Kind) ->
    Name = <<119, 14, "other@10.9.8.7">>,
    Number = below(1 bsl 15),
    binary_to_term(case Kind of
        0 -> <<131, 88, Name/binary, Number:32, 7:32, 5:32>>;
        1 -> <<131, 90, 3:16, Name/binary, 5:32, Number:32, 6:32, 8:32>>;
        2 -> <<131, 89, Name/binary, Number:32, 5:32>>
    end).

fillers(Number) ->
    First = below(5000),
    [filler(N) || N <- lists:seq(First, First + Number - 1)].

filler(N) -> list_to_atom("filler_" ++ integer_to_list(N)).
