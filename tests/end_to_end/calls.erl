%% Processes that deal with each other across the link. Each function runs on the local node, gives
%% what happened, and leaves nothing in the mailbox of whoever called it.
-module(calls).
-behaviour(gen_server).
-export([spawned/1, spawn_request/1, linked/1, linked_from_there/1, unlinked/1, monitored/1,
         monitored_from_there/1, demonitored/1, killed/1, aliased/1, functions/1, server/1, inspected/1,
         group_leader/2, monitored_node/1, traced/1, sequence_traced/1, large_reason/1]).
-export([leave/1, leave_large/1, answer/1, hold/1, watch/2, watch_link/2, send_to/2, write/2]).
-export([init/1, handle_call/3, handle_cast/2]).

%% Run on the remote node:

leave(To) -> exit({left, self(), To, node(), node(To)}).

leave_large(To) -> exit(large([node(), node(To)])).

large(Names) -> material:inline([{N, Names} || N <- lists:seq(1, 30000)], 0).

answer(To) -> To ! {answer, self(), node(), node(To)}.

hold(To) ->
    To ! {held, self()},
    receive {leave, Reason} -> exit(Reason) end.

watch(To, Pid) ->
    Monitor = monitor(process, Pid),
    To ! {watching, self()},
    receive {'DOWN', Monitor, process, Pid, Reason} -> To ! {watched, Reason, names(Reason, To)} end.

watch_link(To, Pid) ->
    process_flag(trap_exit, true),
    link(Pid),
    To ! {watching, self()},
    receive {'EXIT', Pid, Reason} -> To ! {watched, Reason, names(Reason, To)} end.

%% Whether a reason that was made on the local node names the two nodes as they are called here.
names({reason, Theirs, Mine, Here, There}, To) ->
    {node(Theirs), node(Mine), Here, There} =:= {node(To), node(), node(), node(To)}.

send_to(Alias, Message) -> Alias ! Message.

write(To, Text) ->
    To ! {written, io:format("~s ~s~n", [Text, node()])}.

%% Run on the local node:

spawned(Alias) ->
    Self = self(),
    One = spawn(Alias, calls, answer, [Self]),
    Two = spawn(Alias, fun() -> Self ! {answer, self(), node(), node(Self)} end),
    {Three, Monitor} = spawn_monitor(Alias, calls, answer, [Self]),
    Four = spawn_opt(Alias, calls, answer, [Self], [{priority, high}]),
    Answers = [receive {answer, Pid, Node, Caller} -> {node(Pid), Node, Caller} end
               || Pid <- [One, Two, Three, Four]],
    {lists:usort(Answers), receive {'DOWN', Monitor, process, Three, Reason} -> Reason end}.

spawn_request(Alias) ->
    Good = erlang:spawn_request(Alias, calls, answer, [self()], [{reply_tag, good}]),
    Answer = receive {good, Good, ok, Pid} -> receive {answer, Pid, Node, _} -> Node end end,
    Bad = erlang:spawn_request(Alias, calls, answer, [self()], [{reply_tag, bad}, no_such_option]),
    {Answer, receive {bad, Bad, error, Reason} -> Reason end}.

linked(Alias) ->
    Before = process_flag(trap_exit, true),
    Pid = spawn_link(Alias, calls, leave, [self()]),
    Reason = receive {'EXIT', Pid, Left} -> Left end,
    process_flag(trap_exit, Before),
    {Reason =:= {left, Pid, self(), Alias, node()}, node(Pid)}.

linked_from_there(Alias) ->
    Self = self(),
    Pid = spawn(calls, hold, [Self]),
    receive {held, Pid} -> ok end,
    Watcher = spawn(Alias, calls, watch_link, [Self, Pid]),
    receive {watching, Watcher} -> ok end,
    Reason = {reason, Pid, Watcher, Alias, node()},
    Pid ! {leave, Reason},
    receive {watched, Seen, Named} -> {Seen =:= Reason, Named} end.

unlinked(Alias) ->
    Before = process_flag(trap_exit, true),
    Pid = spawn_link(Alias, calls, hold, [self()]),
    receive {held, Pid} -> ok end,
    true = unlink(Pid),
    Monitor = monitor(process, Pid),
    Pid ! {leave, now},
    Down = receive {'DOWN', Monitor, process, Pid, Reason} -> Reason end,
    process_flag(trap_exit, Before),
    {Down, receive {'EXIT', Pid, _} -> linked after 0 -> unlinked end}.

monitored(Alias) ->
    Pid = spawn(Alias, calls, hold, [self()]),
    receive {held, Pid} -> ok end,
    Monitor = monitor(process, Pid),
    Named = monitor(process, {mirror, Alias}),
    Nobody = monitor(process, {nobody_is_called_so, Alias}),
    Missing = receive {'DOWN', Nobody, process, Object, NoReason} -> {Object, NoReason} end,
    Reason = {reason, Pid, self(), Alias, node()},
    Pid ! {leave, Reason},
    Down = receive {'DOWN', Monitor, process, Pid, Seen} -> Seen =:= Reason end,
    Again = monitor(process, Pid),
    Gone = receive {'DOWN', Again, process, Pid, GoneReason} -> GoneReason end,
    true = demonitor(Named, [flush]),
    {Down, Gone, Missing}.

monitored_from_there(Alias) ->
    Self = self(),
    Pid = spawn(calls, hold, [Self]),
    receive {held, Pid} -> ok end,
    Watcher = spawn(Alias, calls, watch, [Self, Pid]),
    receive {watching, Watcher} -> ok end,
    Reason = {reason, Pid, Watcher, Alias, node()},
    Pid ! {leave, Reason},
    receive {watched, Seen, Named} -> {Seen =:= Reason, Named} end.

demonitored(Alias) ->
    Pid = spawn(Alias, calls, hold, [self()]),
    receive {held, Pid} -> ok end,
    Monitor = monitor(process, Pid),
    Found = demonitor(Monitor, [info]),
    Other = monitor(process, Pid),
    Pid ! {leave, now},
    Down = receive {'DOWN', Other, process, Pid, Reason} -> Reason end,
    {Found, Down, receive {'DOWN', Monitor, _, _, _} -> monitored after 0 -> demonitored end}.

killed(Alias) ->
    Ends = fun(Reason) ->
        Pid = spawn(Alias, calls, hold, [self()]),
        receive {held, Pid} -> ok end,
        Monitor = monitor(process, Pid),
        exit(Pid, Reason),
        receive {'DOWN', Monitor, process, Pid, Seen} -> Seen end
    end,
    Reason = {reason, self(), Alias, node()},
    {Ends(kill), Ends(Reason) =:= Reason}.

%% A process alias is a reference that messages are sent to.
aliased(Alias) ->
    Process = erlang:alias(),
    spawn(Alias, calls, send_to, [Process, {through_alias, Alias}]),
    First = receive {through_alias, Node} -> Node after 5000 -> nothing end,
    erlang:unalias(Process),
    {_, Monitor} = spawn_monitor(Alias, calls, send_to, [Process, {through_alias, Alias}]),
    Sent = receive {'DOWN', Monitor, process, _, Reason} -> Reason end,
    {First, Sent, receive {through_alias, _} -> arrived after 0 -> dropped end}.

functions(Alias) ->
    Self = self(),
    Inner = fun() -> {Alias, node(), node(Self)} end,
    Outer = fun() -> {Inner(), [Inner, Self]} end,
    {There, [Returned, Self]} = erpc:call(Alias, Outer),
    {There, Returned =:= Inner, Returned() =:= {Alias, node(), node()}}.

server(Alias) ->
    {ok, Pid} = erpc:call(Alias, gen_server, start, [{local, calls}, calls, self(), []]),
    Called = gen_server:call({calls, Alias}, {whoami, self()}),
    Cast = gen_server:cast({calls, Alias}, {cast, self()}),
    Message = receive {cast, Pid, Node} -> Node end,
    Multi = gen_server:multi_call([Alias], calls, {whoami, self()}),
    ok = gen_server:stop(Pid),
    {Called =:= {Pid, self(), Alias}, Cast, Message,
     Multi =:= {[{Alias, {Pid, self(), Alias}}], []}}.

inspected(Alias) ->
    {ok, Pid} = erpc:call(Alias, gen_server, start, [calls, self(), []]),
    State = sys:get_state(Pid),
    {status, Pid, {module, gen_server}, _} = sys:get_status(Pid),
    ok = gen_server:stop(Pid),
    {State =:= {state, self(), Alias}, node(Pid)}.

%% What the remote node's user sees, and what its processes print here.
group_leader(Alias, Text) ->
    Before = erlang:group_leader(),
    User = erpc:call(Alias, erlang, whereis, [user]),
    erlang:group_leader(User, self()),
    Printed = io:format("~s there from ~s~n", [Text, node()]),
    erlang:group_leader(Before, self()),
    spawn(Alias, calls, write, [self(), Text ++ " here from"]),
    {node(User), Printed, receive {written, Written} -> Written after 5000 -> nothing end}.

monitored_node(Alias) ->
    true = monitor_node(Alias, true),
    true = monitor_node(Alias, true),
    true = monitor_node(Alias, false),
    true = erlang:disconnect_node(Alias),
    Down = receive {nodedown, Alias} -> down after 5000 -> nothing end,
    {Down, receive {nodedown, Alias} -> twice after 0 -> once end}.

%% Trace messages of a remote process, as dbg and observer ask for them.
traced(Alias) ->
    Self = self(),
    Pid = spawn(Alias, calls, hold, [Self]),
    receive {held, Pid} -> ok end,
    Forward = fun Loop() -> receive Message -> Self ! {forwarded, Message}, Loop() end end,
    Tracer = spawn(Alias, Forward),
    1 = erpc:call(Alias, erlang, trace, [Pid, true, ['receive', {tracer, Tracer}]]),
    Pid ! {leave, {Self, Alias}},
    Seen = receive {forwarded, {trace, Pid, 'receive', Message}} -> Message end,
    exit(Tracer, kill),
    Seen =:= {leave, {Self, Alias}}.

%% A token that goes with a message, and with the answer to it.
sequence_traced(Alias) ->
    Self = self(),
    Pid = spawn(Alias, fun() ->
        receive go -> Self ! {label, seq_trace:get_token(label), node()} end
    end),
    seq_trace:set_token(label, {Alias, node(), Self}),
    Pid ! go,
    {Label, There} = receive {label, Seen, Node} -> {Seen, Node} end,
    Here = seq_trace:get_token(label),
    seq_trace:set_token([]),
    Expected = {label, {Alias, node(), Self}},
    {Label =:= Expected, Here =:= Expected, There}.

%% An exit reason of several fragments.
large_reason(Alias) ->
    {Pid, Monitor} = spawn_monitor(Alias, calls, leave_large, [self()]),
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason =:= large([Alias, node()]) end.

init(Caller) -> {ok, {state, Caller, node()}}.

handle_call({whoami, Caller}, {Caller, _}, State) -> {reply, {self(), Caller, node()}, State};
handle_call({whoami, _}, _, {state, Caller, _} = State) -> {reply, {self(), Caller, node()}, State}.

handle_cast({cast, To}, State) ->
    To ! {cast, self(), node()},
    {noreply, State}.
