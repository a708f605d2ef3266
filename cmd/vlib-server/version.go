// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/vlibos/vlibos/internal/release"

func version() string { return release.Of().Version }
