/* SPDX-License-Identifier: Apache-2.0 */
/* Prints sizes, offsets and numbers of the xenstore protocol. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <xen/io/xs_wire.h>

#define SIZE(t) printf("sizeof(%s) %zu\n", #t, sizeof(t))
#define OFFSET(t, f) printf("offsetof(%s, %s) %zu\n", #t, #f, offsetof(t, f))
#define VALUE(v) printf("%s %llu\n", #v, (unsigned long long)(v))

int main(void)
{
    unsigned int i;

    VALUE(XS_DIRECTORY);
    VALUE(XS_READ);
    VALUE(XS_GET_PERMS);
    VALUE(XS_WATCH);
    VALUE(XS_UNWATCH);
    VALUE(XS_TRANSACTION_START);
    VALUE(XS_TRANSACTION_END);
    VALUE(XS_GET_DOMAIN_PATH);
    VALUE(XS_WRITE);
    VALUE(XS_MKDIR);
    VALUE(XS_RM);
    VALUE(XS_SET_PERMS);
    VALUE(XS_WATCH_EVENT);
    VALUE(XS_ERROR);
    VALUE(XS_IS_DOMAIN_INTRODUCED);
    VALUE(XS_DIRECTORY_PART);
    VALUE(XENSTORE_PAYLOAD_MAX);
    SIZE(struct xsd_sockmsg);
    OFFSET(struct xsd_sockmsg, type);
    OFFSET(struct xsd_sockmsg, req_id);
    OFFSET(struct xsd_sockmsg, tx_id);
    OFFSET(struct xsd_sockmsg, len);
    for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        printf("error %s %d\n", xsd_errors[i].errstring, xsd_errors[i].errnum);
    return 0;
}
