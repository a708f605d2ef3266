// SPDX-License-Identifier: Apache-2.0

// Package caching keeps domains in the cache classes that the configuration
// wants: it finds who they are now, again every few seconds, and has the host
// give them their masks. What it cannot carry out it refuses, and all is as it
// was. When it ends, domains have what they had before.
package caching
