// SPDX-License-Identifier: Apache-2.0

package vlib

import "golang.org/x/sys/unix"

func signalFlag(signal bool) uint64 {
	if signal {
		return flagSignal
	}
	return 0
}

// listenError allocates nothing for the answer that is no failure.
func listenError(op string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.EAGAIN:
		return ErrOpen
	}
	return opError(op, nowhere, explain(aboutListen, err))
}
