// SPDX-License-Identifier: Apache-2.0

package vlib

import "golang.org/x/sys/unix"

// notAllowed is a server's result each time, until Dom0 allows it to listen.
var notAllowed = map[string]error{
	"listen":   opError("listen", nowhere, explain(aboutListen, unix.EACCES)),
	"complete": opError("complete", nowhere, explain(aboutListen, unix.EACCES)),
}

// listenError allocates nothing for results that are not failures.
func listenError(op string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.EAGAIN:
		return ErrOpen
	case unix.EACCES:
		return notAllowed[op]
	}
	return opError(op, nowhere, explain(aboutListen, err))
}
