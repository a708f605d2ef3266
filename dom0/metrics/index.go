// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"io"
	"net/http"
)

// IndexPattern is the pattern of Index for http.ServeMux: "/" and nothing
// below.
const IndexPattern = "GET /{$}"

const index = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>vlibmaster</title></head>
<body><h1>vlibmaster</h1><p>The master of this host. <a href="` + Path + `">Metrics</a>, for Prometheus.</p></body></html>
`

// Index is the page at the address without a path.
func Index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, index) // the client may have left
}
