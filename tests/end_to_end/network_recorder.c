/* Preloaded into a process and its children: notes every name they look up and every address they would reach in the
 * file that NETWORK_RECORD names, and lets only the machine itself be reached. Port 53 of the machine itself counts as
 * outside, because a resolver that listens there asks others. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))
#define DNS_PORT 53

static void note(const char *what, const char *name, unsigned port) {
    char line[512];
    int kept = errno;
    const char *path = getenv("NETWORK_RECORD");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        int length = snprintf(line, sizeof line, "%s %.400s %u\n", what, name, port);
        if (write(file, line, (size_t)length) != length) abort();
        close(file);
    }
    errno = kept;
}

/* Whether an address is the machine itself; notes those of the internet's families. */
static int may_reach(const char *what, const struct sockaddr *to) {
    char name[INET6_ADDRSTRLEN] = "";
    unsigned port;
    int own;
    if (to && to->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)to;
        inet_ntop(AF_INET, &four->sin_addr, name, sizeof name);
        own = ntohl(four->sin_addr.s_addr) >> 24 == 127;
        port = ntohs(four->sin_port);
    } else if (to && to->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)to;
        inet_ntop(AF_INET6, &six->sin6_addr, name, sizeof name);
        own = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
              (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
        port = ntohs(six->sin6_port);
    } else {
        return 1; /* sockets of the machine itself, of the kernel, and those that were connected before */
    }
    note(what, name, port);
    if (own && port != DNS_PORT) return 1;
    errno = ENETUNREACH;
    return 0;
}

/* Whether a name can be told without asking anybody; notes the others. */
static int may_look_up(const char *name) {
    unsigned char address[sizeof(struct in6_addr)];
    if (!name || !*name || !strcmp(name, "localhost")) return 1;
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) return 1;
    note("lookup", name, 0);
    h_errno = TRY_AGAIN;
    return 0;
}

int connect(int socket, __CONST_SOCKADDR_ARG to, socklen_t length) {
    return may_reach("connect", to.__sockaddr__) ? NEXT(connect)(socket, to, length) : -1;
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG to, socklen_t length) {
    return may_reach("send", to.__sockaddr__) ? NEXT(sendto)(socket, data, size, flags, to, length) : -1;
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    return may_reach("send", message->msg_name) ? NEXT(sendmsg)(socket, message, flags) : -1;
}

int sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
    for (unsigned i = 0; i < count; i++)
        if (!may_reach("send", messages[i].msg_hdr.msg_name)) return -1;
    return NEXT(sendmmsg)(socket, messages, count, flags);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    return may_look_up(name) ? NEXT(getaddrinfo)(name, service, hints, found) : EAI_AGAIN;
}

struct hostent *gethostbyname(const char *name) { return may_look_up(name) ? NEXT(gethostbyname)(name) : NULL; }

struct hostent *gethostbyname2(const char *name, int family) {
    return may_look_up(name) ? NEXT(gethostbyname2)(name, family) : NULL;
}

int gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **found,
                    int *error) {
    if (may_look_up(name)) return NEXT(gethostbyname_r)(name, host, buffer, size, found, error);
    *found = NULL;
    return *error = TRY_AGAIN;
}

int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer, size_t size,
                     struct hostent **found, int *error) {
    if (may_look_up(name)) return NEXT(gethostbyname2_r)(name, family, host, buffer, size, found, error);
    *found = NULL;
    return *error = TRY_AGAIN;
}

int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags) {
    if (host && !(flags & NI_NUMERICHOST) && !may_reach("name", address)) return EAI_AGAIN;
    return NEXT(getnameinfo)(address, length, host, host_size, service, service_size, flags);
}

/* Whether the name of an address can be told without asking anybody. */
static int may_name(const void *address, int family) {
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (family == AF_INET) memcpy(&four.sin_addr, address, sizeof four.sin_addr);
    if (family == AF_INET6) memcpy(&six.sin6_addr, address, sizeof six.sin6_addr);
    return may_reach("name", family == AF_INET6 ? (const struct sockaddr *)&six : (const struct sockaddr *)&four);
}

struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) {
    return may_name(address, family) ? NEXT(gethostbyaddr)(address, length, family) : NULL;
}

int gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *host, char *buffer, size_t size,
                    struct hostent **found, int *error) {
    if (may_name(address, family))
        return NEXT(gethostbyaddr_r)(address, length, family, host, buffer, size, found, error);
    *found = NULL;
    return *error = TRY_AGAIN;
}

#define REFUSE(function, ...) \
    int function(__VA_ARGS__, int kind, int type, unsigned char *answer, int size); \
    int function(__VA_ARGS__, int kind, int type, unsigned char *answer, int size) { \
        (void)kind, (void)type, (void)answer, (void)size; \
        note("lookup", name, 0); \
        return -1; \
    }
REFUSE(res_query, const char *name)
REFUSE(res_search, const char *name)
REFUSE(__res_query, const char *name)
REFUSE(__res_search, const char *name)
