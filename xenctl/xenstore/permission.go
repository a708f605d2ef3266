// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Access is a domain's access to a node.
type Access byte

// The accesses, as encoded in the protocol.
const (
	AccessNone  Access = 'n'
	AccessRead  Access = 'r'
	AccessWrite Access = 'w'
	AccessBoth  Access = 'b'
)

// Permission gives a domain access to a node. The first of a node's permissions
// names its owner, which has every access, and the access of all domains that
// are not in the list.
type Permission struct {
	Domain uint16
	Access Access
}

func (p Permission) String() string { return string(p.Access) + strconv.Itoa(int(p.Domain)) }

func (a Access) valid() bool {
	switch a {
	case AccessNone, AccessRead, AccessWrite, AccessBoth:
		return true
	}
	return false
}

// GetPermissions returns the permissions of a node, the owner's first.
func (o ops) GetPermissions(ctx context.Context, path string) ([]Permission, error) {
	payload, err := o.request(ctx, protocol.GetPerms, path, protocol.Join(path))
	if err != nil {
		return nil, opError("get permissions", path, err)
	}
	perms, err := parsePermissions(payload)
	return perms, opError("get permissions", path, err)
}

// SetPermissions replaces the permissions of a node: at least the owner's. Only
// Dom0 can give a node to another owner.
func (o ops) SetPermissions(ctx context.Context, path string, perms ...Permission) error {
	list := []string{path}
	for _, p := range perms {
		if !p.Access.valid() {
			return opError("set permissions", path, fmt.Errorf("access %q: %w", byte(p.Access), unix.EINVAL))
		}
		list = append(list, p.String())
	}
	if len(perms) == 0 {
		return opError("set permissions", path, fmt.Errorf("no owner: %w", unix.EINVAL))
	}
	_, err := o.request(ctx, protocol.SetPerms, path, protocol.Join(list...))
	return opError("set permissions", path, err)
}

func parsePermissions(payload []byte) ([]Permission, error) {
	list, err := protocol.List(payload)
	if err != nil {
		return nil, err
	}
	var perms []Permission
	for _, s := range list {
		if s == "" || !Access(s[0]).valid() {
			return nil, fmt.Errorf("%w: permission %.32q", ErrProtocol, s)
		}
		domid, err := strconv.ParseUint(s[1:], 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%w: permission %.32q", ErrProtocol, s)
		}
		perms = append(perms, Permission{Domain: uint16(domid), Access: Access(s[0])})
	}
	if len(perms) == 0 {
		return nil, fmt.Errorf("%w: a node without an owner", ErrProtocol)
	}
	return perms, nil
}
