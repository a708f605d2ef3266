// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// ops are the operations on nodes, of a client or of a transaction.
type ops struct {
	client *Client
	tx     uint32       // 0 for a client
	ended  *atomic.Bool // nil for a client
}

// Read returns the value of a node.
func (o ops) Read(ctx context.Context, path string) ([]byte, error) {
	value, err := o.request(ctx, protocol.Read, path, protocol.Join(path))
	return value, opError("read", path, err)
}

// Write sets the value of a node. It makes the node and its parents if they do
// not exist.
func (o ops) Write(ctx context.Context, path string, value []byte) error {
	_, err := o.request(ctx, protocol.Write, path, append(protocol.Join(path), value...))
	return opError("write", path, err)
}

// Mkdir makes an empty node and its parents. A node that exists does not
// change.
func (o ops) Mkdir(ctx context.Context, path string) error {
	_, err := o.request(ctx, protocol.Mkdir, path, protocol.Join(path))
	return opError("mkdir", path, err)
}

// Remove removes a node and everything below it. xenstored does not report an
// error for a missing node whose parent exists.
func (o ops) Remove(ctx context.Context, path string) error {
	_, err := o.request(ctx, protocol.Remove, path, protocol.Join(path))
	return opError("remove", path, err)
}

// Discard removes a node and everything below it. It does not wait for the daemon; an
// error has no effect.
func (c *Client) Discard(path string) {
	if checkPath(path) == nil {
		c.post(protocol.Message{Type: protocol.Remove, Payload: protocol.Join(path)})
	}
}

// GetDomainPath returns the home of a domain, whether or not it exists.
func (o ops) GetDomainPath(ctx context.Context, domid uint16) (string, error) {
	payload, err := o.domain(ctx, protocol.GetDomainPath, domid)
	if err != nil {
		return "", opError("get domain path", strconv.Itoa(int(domid)), err)
	}
	path, err := protocol.Text(payload)
	return path, opError("get domain path", strconv.Itoa(int(domid)), err)
}

// IsDomainIntroduced reports whether xenstored serves a domain.
func (o ops) IsDomainIntroduced(ctx context.Context, domid uint16) (bool, error) {
	payload, err := o.domain(ctx, protocol.IsDomainIntroduced, domid)
	if err == nil {
		switch text, _ := protocol.Text(payload); text {
		case "T":
			return true, nil
		case "F":
			return false, nil
		}
		err = fmt.Errorf("%w: %.16q is neither T nor F", ErrProtocol, payload)
	}
	return false, opError("is domain introduced", strconv.Itoa(int(domid)), err)
}

func (o ops) domain(ctx context.Context, kind protocol.Type, domid uint16) ([]byte, error) {
	return o.client.roundTrip(ctx, protocol.Message{Type: kind, Payload: protocol.Join(strconv.Itoa(int(domid)))}, nil)
}

func (o ops) request(ctx context.Context, kind protocol.Type, path string, payload []byte) ([]byte, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if o.ended != nil && o.ended.Load() {
		return nil, fmt.Errorf("the transaction has ended: %w", os.ErrClosed)
	}
	return o.client.roundTrip(ctx, protocol.Message{Type: kind, Tx: o.tx, Payload: payload}, nil)
}
