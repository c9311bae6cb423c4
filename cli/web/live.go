package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// alive is the time after which something is sent though nothing has changed, so that both ends notice when the other is gone.
const alive = 15 * time.Second

// event is a part of a page that has changed.
type event struct {
	Part string `json:"part"`
	part
}

// live sends the parts of the page at the query's address, first all and then those that change, as server-sent events, until the
// browser goes.
func live(w http.ResponseWriter, r *http.Request, k *keeper) {
	at, err := url.Parse(r.URL.Query().Get("at"))
	if err != nil {
		http.Error(w, "at: no address of a page", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	sent := map[string]string{}
	for {
		now, replaced := k.look()
		if err := send(w, now.page(at).Parts, sent); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-replaced:
		case <-time.After(alive):
			fmt.Fprint(w, ": alive\n\n")
		}
	}
}

// send the parts that are not those sent before, by their versions.
func send(w io.Writer, parts map[string]part, sent map[string]string) error {
	for name, p := range parts {
		if sent[name] == p.Version {
			continue
		}
		data, err := json.Marshal(event{name, p})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: part\ndata: %s\n\n", data); err != nil {
			return err
		}
		sent[name] = p.Version
	}
	return nil
}
