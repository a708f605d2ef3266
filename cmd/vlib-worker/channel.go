// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

var errServerLeft = errors.New("the server closed the channel")

// oneChannel is a listener whose work is done when its only channel ends.
type oneChannel struct {
	transport.Listener
	own transport.ServerEndpoint // the channel, once children are kept from it
}

// Wait returns errServerLeft instead of a channel without a client.
func (l *oneChannel) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	ep, err := l.Listener.Wait(deadline)
	if err == nil && ep.Gone() != nil {
		return nil, errServerLeft
	}
	if err == nil && ep != l.own {
		// What a library forks has its arguments, but not the page by which
		// calls are answered.
		if err = unix.Madvise(ep.Header(), unix.MADV_DONTFORK); err != nil {
			return nil, fmt.Errorf("keep the channel from children: %w", err)
		}
		l.own = ep
	}
	return ep, err
}
