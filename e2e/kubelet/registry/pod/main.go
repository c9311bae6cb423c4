// Command pod is what the pods of a lab run: as "pod pause" it holds a pod's namespaces open, as "pod web ADDRESS" it is an HTTP
// server that says which pod it is, on which node, and whom it saw, in the words that package probe reads.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	switch {
	case len(os.Args) == 1 || os.Args[1] == "pause": // containerd gives the sandbox's image no argument
		pause()
	case len(os.Args) == 3 && os.Args[1] == "web":
		log.Fatal(serve(os.Args[2]))
	default:
		log.Fatal("usage: pod pause | pod web ADDRESS")
	}
}

// pause waits to be ended, and reaps the processes that lost their parents: it is PID 1 of a pod that shares its namespace.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}

// serve answers until the process is killed. POD_NAME and NODE_NAME say who it is. On SIGTERM it goes on for as long as the pod has
// grace: connections still come until every node has heard that the pod goes.
func serve(address string) error {
	signal.Ignore(syscall.SIGTERM)
	who := fmt.Sprintf("%s on %s", os.Getenv("POD_NAME"), os.Getenv("NODE_NAME"))
	server := &http.Server{
		Addr:              address,
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "%s, hello %s\n", who, client)
		}),
	}
	return server.ListenAndServe()
}
