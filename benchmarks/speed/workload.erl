%% The Erlang side of the benchmarks, loaded into every node: makes messages, sends them, counts
%% them and takes the time. Both ends of a measured stretch are on the local node's own clock.
-module(workload).
-export([up/3, down/3, calls/2]).
-export([sink/2, source/3, echo/0]).

%% Microseconds until Count messages of a kind have arrived at Node.
up(Node, Kind, Count) ->
    in_fresh_process(fun() ->
        Sink = spawn(Node, ?MODULE, sink, [self(), Count]),
        receive {Sink, ready} -> ok end,
        Flood = prepared_flood(Sink, Kind, Count),
        timed(fun() ->
            Flood(),
            receive {Sink, done} -> ok end
        end)
    end).

%% Microseconds until Count messages of a kind have arrived from Node.
down(Node, Kind, Count) ->
    in_fresh_process(fun() ->
        true = register(?MODULE, self()),
        Source = spawn(Node, ?MODULE, source, [self(), Kind, Count]),
        receive {Source, ready} -> ok end,
        timed(fun() ->
            Source ! go,
            count(Count)
        end)
    end).

%% The median and the 99th percentile, in nanoseconds, of Count calls one after the other.
calls(Node, Count) ->
    in_fresh_process(fun() ->
        Echo = spawn(Node, ?MODULE, echo, []),
        Warm = [call(Echo) || _ <- lists:seq(1, 500)],
        true = length(Warm) =:= 500,
        Times = lists:sort([call(Echo) || _ <- lists:seq(1, Count)]),
        Echo ! stop,
        {lists:nth(Count div 2, Times), lists:nth(Count * 99 div 100, Times)}
    end).

sink(Client, Count) ->
    true = register(?MODULE, self()),
    Client ! {self(), ready},
    count(Count),
    true = unregister(?MODULE),
    Client ! {self(), done}.

source(Client, Kind, Count) ->
    Flood = prepared_flood(Client, Kind, Count),
    Client ! {self(), ready},
    receive go -> Flood() end.

echo() ->
    receive
        stop -> ok;
        {Client, Reference, Request} -> Client ! {Reference, Request}, echo()
    end.

call(Echo) ->
    Start = erlang:monotonic_time(),
    Reference = make_ref(),
    Echo ! {self(), Reference, {get, state}},
    receive {Reference, _} -> ok end,
    erlang:convert_time_unit(erlang:monotonic_time() - Start, native, nanosecond).

%% To a pid; or to a name, where the control message must not bring the node's name into the cache.
prepared_flood(Sink, Kind, Count) ->
    Maker = maker(Kind, node(Sink)),
    Destination = case Kind of inline -> {?MODULE, node(Sink)}; _ -> Sink end,
    fun() -> flood(Destination, Maker, Count) end.

flood(_Sink, _Maker, 0) -> ok;
flood(Sink, Maker, Count) ->
    Sink ! Maker(Count),
    flood(Sink, Maker, Count - 1).

count(0) -> ok;
count(Count) -> receive _ -> count(Count - 1) end.

timed(Work) ->
    Start = erlang:monotonic_time(microsecond),
    Work(),
    erlang:monotonic_time(microsecond) - Start.

%% A process of its own begins with an empty heap and an empty mailbox, whatever ran before.
in_fresh_process(Work) ->
    {Process, Monitor} = spawn_monitor(fun() -> exit({result, Work()}) end),
    receive
        {'DOWN', Monitor, process, Process, {result, Result}} -> Result;
        {'DOWN', Monitor, process, Process, Reason} -> error(Reason)
    end.

%% A fun that gives the message of a number. Node is the receiving node as the sender calls it.
maker({binary, Megabytes}, _) ->
    always(binary:copy(rand:bytes(1000000), Megabytes));
maker(small, _) ->
    Self = self(),
    fun(Number) -> {event, Number, Self, <<"twenty bytes of text">>, [normal, 42]} end;
maker(tuples, _) ->
    always([{N, item, N * 1.5, <<"a name">>, [N, true]} || N <- lists:seq(1, 100000)]);
maker(maps, _) ->
    always([#{id => N, kind => item, price => N * 1.5, tags => [new, N]}
            || N <- lists:seq(1, 100000)]);
maker({text, Text}, _) ->
    Line = <<"{\"level\": \"info\", \"node\": \"", Text/binary, "\", \"message\": \"served\"}\n">>,
    Self = self(),
    fun(Number) -> {log, Number, Self, binary:copy(Line, 10)} end;
%% A message refers to 255 cached atoms at most; those after them, the name too, go inline.
maker(inline, Node) ->
    Atoms = [list_to_atom("benchmark_" ++ integer_to_list(N)) || N <- lists:seq(1, 260)],
    fun(Number) -> {Atoms, Number, Node} end;
maker(blobs, Node) ->
    always(lists:duplicate(20000, term_to_binary(Node)));
maker(small_blobs, Node) ->
    Self = self(),
    Blob = term_to_binary(Node),
    fun(Number) -> {stored, Number, Self, Blob} end.

always(Message) -> fun(_) -> Message end.
