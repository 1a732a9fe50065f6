# The emulator as a service: docker build -t exchange-emulator . && docker run --rm -p 9000-9005:9000-9005 exchange-emulator
FROM python:3.13-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY emulator emulator
COPY venues venues
COPY reactor reactor
COPY configs configs
RUN pip install --no-cache-dir .
WORKDIR /
USER nobody
EXPOSE 9000-9005
HEALTHCHECK --interval=2s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9000/health')"]
ENTRYPOINT ["exchange-emulator"]
CMD ["serve", "--host", "0.0.0.0"]
