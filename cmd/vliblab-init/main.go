// SPDX-License-Identifier: Apache-2.0

// Command vliblab-init is process 1 in the lab's Dom0 and DomUs. It is put
// into the images by vliblab and is not meant to be run by hand.
package main

import (
	"os"

	"github.com/vlibos/vlibos/lab/guest"
)

func main() { os.Exit(guest.Main(os.Args)) }
