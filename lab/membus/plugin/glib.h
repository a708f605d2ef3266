/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces GLib's header, which qemu-plugin.h includes from QEMU 9 on for two
 * types of functions that this plugin does not call.
 */
#ifndef VLIBOS_GLIB_H
#define VLIBOS_GLIB_H

typedef struct GArray GArray;
typedef struct GByteArray GByteArray;

#endif
