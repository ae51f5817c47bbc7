%% Supervision trees and groups of processes that span several nodes.
-module(spanning).
-behaviour(supervisor).

-export([init/1, start_child/1, loop/0, start/2, children/1, restarted/2, identifiers/1,
         reached/2, members/2, join/1]).

%% A supervisor here with one child on each of Nodes.
start(Name, Nodes) ->
    {ok, Supervisor} = supervisor:start_link({local, Name}, spanning, Nodes),
    unlink(Supervisor),
    Supervisor.

init(Nodes) ->
    Children = [#{id => Node, start => {spanning, start_child, [Node]}} || Node <- Nodes],
    {ok, {#{strategy => one_for_one, intensity => 100}, Children}}.

start_child(Node) -> {ok, spawn_link(Node, spanning, loop, [])}.

loop() ->
    receive
        {From, Ref, ping} -> From ! {Ref, node()}, loop();
        stop -> ok
    end.

%% Each child's id, the node of its pid, and what it says when it is asked.
children(Supervisor) ->
    lists:sort([{Id, node(Pid), ask(Pid)}
                || {Id, Pid, _, _} <- supervisor:which_children(Supervisor)]).

ask(Pid) ->
    Ref = make_ref(),
    Pid ! {self(), Ref, ping},
    receive {Ref, Node} -> Node after 10000 -> timeout end.

%% What the child of Node says after it was killed and started again, and how many there are.
restarted(Supervisor, Node) ->
    Child = child(Supervisor, Node),
    Monitor = monitor(process, Child),
    exit(Child, kill),
    receive {'DOWN', Monitor, process, Child, killed} -> ok end,
    {again(Supervisor, Node, Child, 100), length(supervisor:which_children(Supervisor))}.

again(Supervisor, Node, Before, Tries) when Tries > 0 ->
    case child(Supervisor, Node) of
        Pid when is_pid(Pid), Pid =/= Before -> ask(Pid);
        _ -> timer:sleep(50), again(Supervisor, Node, Before, Tries - 1)
    end.

child(Supervisor, Node) ->
    {Node, Pid, _, _} = lists:keyfind(Node, 1, supervisor:which_children(Supervisor)),
    Pid.

%% Things that belong to Node, made there: a process, a reference, a port, its name.
identifiers(Node) ->
    {erpc:call(Node, erlang, spawn, [spanning, loop, []]), erpc:call(Node, erlang, make_ref, []),
     hd(erpc:call(Node, erlang, ports, [])), erpc:call(Node, erlang, node, [])}.

%% What comes of using, from here, things of Owner that Teller told of: the link to Owner is new.
reached(Teller, Owner) ->
    {Pid, Reference, Port, Name} = erpc:call(Teller, spanning, identifiers, [Owner]),
    Names = lists:usort([node(Pid), node(Reference), node(Port), Name]),
    Teller =:= Owner orelse disconnect_node(Owner),
    Answer = ask(Pid),
    {_, _} = rpc:call(node(Port), erlang, port_info, [Port, name]),
    Linked = (catch link(Pid)),
    unlink(Pid),
    Monitor = monitor(process, Pid),
    Pid ! stop,
    receive {'DOWN', Monitor, process, Pid, Why} -> {Names, Answer, Linked, Why}
    after 10000 -> timeout end.

join(Group) ->
    pg:start(pg),
    pg:join(Group, spawn(spanning, loop, [])).

%% The nodes of the members of Group as Teller knows it, each asked itself.
members(Teller, Group) ->
    Members = erpc:call(Teller, pg, get_members, [Group]),
    {lists:usort([node(Pid) || Pid <- Members]), lists:usort([ask(Pid) || Pid <- Members])}.
