# The small installation as a server: docker build -t inspyrenet . (docs/server.md says how to run it).
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY src src
COPY configs configs
COPY data data
COPY lib lib
COPY utils utils
# compiled here, since nothing can be written later; pip itself stays behind
RUN python -m venv --without-pip /app && pip --python /app/bin/python install --no-cache-dir --constraint requirements.txt '.[serve]'

FROM python:3.12-slim
COPY --from=build /app /app
# the one place that is written to; with --read-only it is a tmpfs
ENV PATH=/app/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 7000
# on the port that the server was started with
HEALTHCHECK --start-period=20s CMD ["python", "-c", "import re, urllib.request as r; words = '--port=7000' + open('/proc/1/cmdline').read(); r.urlopen('http://127.0.0.1:' + re.findall(r'--port[=\\0](\\d+)', words)[-1] + '/api/health', timeout=5)"]
ENTRYPOINT ["inspyrenet", "s"]
CMD ["--host", "0.0.0.0"]
