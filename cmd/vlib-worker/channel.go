// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
)

var errServerLeft = errors.New("the server closed the channel")

// oneChannel is a listener whose work is done when its only channel ends.
type oneChannel struct{ vlibcall.Listener }

// Wait returns errServerLeft instead of a channel without a client.
func (l oneChannel) Wait(deadline time.Time) (vlibcall.Endpoint, error) {
	ep, err := l.Listener.Wait(deadline)
	if err == nil && ep.Gone() != nil {
		return nil, errServerLeft
	}
	return ep, err
}
