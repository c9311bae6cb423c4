package monitoring

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Notification is what Alertmanager told of an alert.
type Notification struct {
	Status              string
	Labels, Annotations map[string]string
	// At is when it came.
	At time.Time `json:"-"`
}

// notifications receives what Alertmanager sends.
type notifications struct {
	mu  sync.Mutex
	all []Notification
}

// ServeHTTP implements http.Handler.
func (n *notifications) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var message struct{ Alerts []Notification }
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, alert := range message.Alerts {
		alert.At = time.Now()
		n.all = append(n.all, alert)
	}
}

// Notifications are all that came so far, in order.
func (m *Monitoring) Notifications() []Notification {
	m.notifications.mu.Lock()
	defer m.notifications.mu.Unlock()
	return slices.Clone(m.notifications.all)
}

// Told are the names of the alerts that Alertmanager has told with a status since a time, each once, in order of name.
func (m *Monitoring) Told(status string, since time.Time) (names []string) {
	for _, notification := range m.Notifications() {
		if notification.Status == status && notification.At.After(since) {
			names = append(names, notification.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
