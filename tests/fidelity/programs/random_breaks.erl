%% Operations that end the connection and have it made again.
-module(random_breaks).
-export([from_here/1, from_there/1, while_waiting/1]).
-import(random_terms, [term/1]).

-define(PATIENCE, 60000).

from_here(#{there := There} = Known) ->
    broken(Known, fun() -> erlang:disconnect_node(There) end).

from_there(#{there := There} = Known) ->
    Here = node(),
    broken(Known, fun() -> erpc:cast(There, erlang, disconnect_node, [Here]) end).

%% What everybody who watched sees, and that the next call connects again.
broken(#{there := There} = Known, Break) ->
    Linked = spawn_link(There, random_signals, hold, [self()]),
    {Watched, Monitor} = spawn_monitor(There, random_signals, hold, [self()]),
    [receive {held, Pid} -> ok after ?PATIENCE -> exit(not_held) end || Pid <- [Linked, Watched]],
    Named = monitor(process, {rex, There}),
    true = monitor_node(There, true),
    Broke = Break(),
    Down = receive {nodedown, There} -> down after ?PATIENCE -> silence end,
    Sent = erlang:send({nobody, There}, term(Known), [noconnect]),
    {Broke, Down, Sent, random_signals:wait_exit(Linked), random_signals:wait_down(Monitor),
     random_signals:wait_down(Named), again(There, 50)}.

while_waiting(#{there := There}) ->
    Request = erpc:send_request(There, timer, sleep, [infinity]),
    true = erlang:disconnect_node(There),
    Seen = try erpc:receive_response(Request, ?PATIENCE) catch Class:Reason -> {Class, Reason} end,
    {Seen, again(There, 50)}.

again(_, 0) -> not_again;
again(There, Tries) ->
    case net_adm:ping(There) of
        pong -> node(rpc:call(There, erlang, self, []));
        pang -> timer:sleep(100), again(There, Tries - 1)
    end.
