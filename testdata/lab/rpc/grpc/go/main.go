// The lab's gRPC in Go: `grpc-go server ADDRESS`, and `grpc-go client ADDRESS PLAN LOG`.
//
// Both speak the service wirespan.lab.Shop, of which ../README.md tells, as do the programs in
// Python beside them. Messages are google.protobuf.StringValue, whose code comes with protobuf:
// nothing is generated.
package main

import (
	"fmt"
	"os"

	// Registers the compressor by its name.
	_ "google.golang.org/grpc/encoding/gzip"
)

const service = "wirespan.lab.Shop"

// Order is what a request says, as JSON: what the server shall do. Both programs and the plan share it.
type Order struct {
	// Code and Text are the status to answer with, after Count messages where several are answered.
	Code int    `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
	// Size is how many bytes each answer is filled up with.
	Size int `json:"size,omitempty"`
	// Count is how many messages a stream has, each Pause milliseconds after the one before.
	Count int `json:"count,omitempty"`
	Pause int `json:"pause,omitempty"`
	// Sleep is how many milliseconds the server does nothing, whether or not somebody still waits.
	Sleep int `json:"sleep,omitempty"`
	// Fill makes a request large.
	Fill string `json:"fill,omitempty"`
}

// Large enough for the plan's largest message; gRPC's default is 4 MiB.
const largest = 64 << 20

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		err = serve(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "client":
		err = call(os.Args[2], os.Args[3], os.Args[4])
	default:
		fmt.Fprintln(os.Stderr, "usage: grpc-go server ADDRESS | client ADDRESS PLAN LOG")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpc-go:", err)
		os.Exit(1)
	}
}
