# Images of the two daemons. VERSION is what --version and the metric daymark_build_info say:
#   docker build --build-arg VERSION=$(git describe --tags --always) --target controller -t ghcr.io/daymark-lb/controller:latest .
#   docker build --build-arg VERSION=$(git describe --tags --always) --target speaker    -t ghcr.io/daymark-lb/speaker:latest .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
RUN make build

FROM scratch AS controller
COPY --from=build /src/bin/controller /controller
USER 65532
ENTRYPOINT ["/controller"]

FROM scratch AS speaker
COPY --from=build /src/bin/speaker /speaker
ENTRYPOINT ["/speaker"]
