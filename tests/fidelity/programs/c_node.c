/* A C node, made with Erlang's own ei: calls a node, and has a term mirrored there.
 *
 *   c_node OWN_NAME OWN_HOST COOKIE_FILE NODE
 *
 * Prints what node() gives there, and the term that came back. Its own epmd port is the usual
 * environment's.
 */
#include <ei.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#define PATIENCE 20000

static void stop(const char *what)
{
    fprintf(stderr, "it did not work to %s\n", what);
    exit(1);
}

static void print_term(const char *what, const char *buffer)
{
    int index = 0;
    char *text = NULL;
    if (ei_s_print_term(&text, buffer, &index) < 0) stop("print");
    printf("%s %s\n", what, text);
}

static void call(ei_cnode *self, int link)
{
    ei_x_buff arguments, result;
    ei_x_new(&arguments);
    ei_x_encode_empty_list(&arguments);
    ei_x_new(&result);
    if (ei_rpc(self, link, "erlang", "node", arguments.buff, arguments.index, &result) < 0)
        stop("rpc");
    print_term("node", result.buff);
}

/* {mirror, Node} ! {c_node_client, self(), [Node, OwnName, self(), <<"Node">>]} */
static void have_mirrored(ei_cnode *self, int link, const char *own, const char *node)
{
    ei_x_buff sent;
    erlang_pid pid;
    if (ei_make_pid(self, &pid) < 0) stop("make_pid");
    ei_x_new_with_version(&sent);
    ei_x_encode_tuple_header(&sent, 3);
    ei_x_encode_atom(&sent, "c_node_client");
    ei_x_encode_pid(&sent, &pid);
    ei_x_encode_list_header(&sent, 4);
    ei_x_encode_atom(&sent, node);
    ei_x_encode_atom(&sent, own);
    ei_x_encode_pid(&sent, &pid);
    ei_x_encode_binary(&sent, node, strlen(node));
    ei_x_encode_empty_list(&sent);
    if (ei_reg_send(self, link, "mirror", sent.buff, sent.index) < 0) stop("send");
}

static void print_mirrored(int link)
{
    ei_x_buff received;
    erlang_msg message;
    int kind;
    ei_x_new(&received);
    do {
        received.index = 0;
        kind = ei_xreceive_msg_tmo(link, &message, &received, PATIENCE);
    } while (kind == ERL_TICK);
    if (kind != ERL_MSG || message.msgtype != ERL_REG_SEND) stop("receive");
    printf("to %s\n", message.toname);
    print_term("mirrored", received.buff + 1);
}

int main(int count, char **words)
{
    char cookie[256] = "", own[512];
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    ei_cnode self;
    FILE *file;
    int link;
    if (count != 5 || !(file = fopen(words[3], "r"))) return 2;
    if (!fgets(cookie, sizeof cookie, file)) return 2;
    snprintf(own, sizeof own, "%s@%s", words[1], words[2]);
    ei_init();
    if (ei_connect_xinit(&self, words[2], words[1], own, &loopback, cookie, 1) < 0) stop("init");
    if ((link = ei_connect_tmo(&self, words[4], PATIENCE)) < 0) stop("connect");
    call(&self, link);
    have_mirrored(&self, link, own, words[4]);
    print_mirrored(link);
    return 0;
}
