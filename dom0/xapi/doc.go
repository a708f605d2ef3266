// SPDX-License-Identifier: Apache-2.0

// Package xapi is a client of XAPI, the toolstack of XCP-ng and XenServer, and
// follows the VMs of a pool by its events. It serves the master, which takes
// names and requests for reservations from there, and no other purpose: it has
// the dozen calls that this needs.
//
// There is no public Go package for XAPI: the SDK that XenServer generates is
// meant to be copied into a project, and does not check certificates. This
// client speaks JSON-RPC 2.0 over the local socket, where every caller is root,
// or over TLS with the host's certificate verified. Facts are from XAPI's
// reference (https://xapi-project.github.io/xen-api) and its source.
package xapi
